// Checks an OpenAPI document, which comes on standard input, against the specification of its version. Writes one line of JSON:
// {valid, version, errors}.

import { Validator } from "@seriousme/openapi-schema-validator";
import { text } from "node:stream/consumers";

const validator = new Validator();
const { valid, errors } = await validator.validate(JSON.parse(await text(process.stdin)));
console.log(JSON.stringify({ valid, version: validator.version, errors: JSON.stringify(errors ?? []) }));
