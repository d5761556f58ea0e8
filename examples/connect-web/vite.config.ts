import { defineConfig } from "vite";

export default defineConfig({
  // Variables that the page may see. Name single ones: AVATARD_CLIENT_SECRET, which is in the same file, belongs to the server.
  envPrefix: ["AVATARD_URL", "AVATARD_ISSUER", "LOGIN_CLIENT_ID", "LOGIN_SCOPES"],
  server: { host: "127.0.0.1" },
  preview: { host: "127.0.0.1" },
  build: { target: "es2022" },
});
