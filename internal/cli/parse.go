package cli

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"example.org/avatard/internal/config"
)

// settingFlags are --config and the flags of settings that a command takes; which, its tag in grammar says. Package config
// judges their values.
type settingFlags struct {
	*config.Flags `kong:"-"`
}

func (f *settingFlags) flagsOfSettings() *config.Flags {
	f.Flags = new(config.Flags)
	return f.Flags
}

// newParser returns the parser of the command line.
func (p *Program) newParser() (*kong.Kong, error) {
	return kong.New(&grammar{}, kong.Name("avatard"), kong.NoDefaultHelp(), kong.WithHyphenPrefixedParameters(true), kong.Bind(p),
		kong.KindMapper(reflect.String, kong.MapperFunc(func(ctx *kong.DecodeContext, target reflect.Value) error {
			text, err := popArgument(ctx)
			target.SetString(text)
			return err
		})),
		kong.NamedMapper("repeated", kong.MapperFunc(appendArgument)),
		kong.PostBuild(func(k *kong.Kong) error { return kong.Visit(k.Model.Node, addSettings) }))
}

// addSettings gives a command flags for its settings.
func addSettings(v kong.Visitable, next kong.Next) error {
	n, ok := v.(*kong.Node)
	if !ok || !n.Tag.Has("settings") {
		return next(nil)
	}
	flags := n.Target.Addr().Interface().(interface{ flagsOfSettings() *config.Flags }).flagsOfSettings()
	for _, s := range config.Settings() {
		keys := strings.Split(n.Tag.Get("settings"), ",")
		if keys[0] == "*" || slices.Contains(keys, s.Key) || s.OfStore && slices.Contains(keys, "data") {
			n.Flags = append(n.Flags, newFlag(s.FlagName(), s.Form, s.About, settingMapper{flags, s}, reflect.ValueOf(new(string))))
		}
	}
	n.Flags = append(n.Flags, newFlag("config", "FILE", "YAML file with settings", kong.MapperFunc(func(ctx *kong.DecodeContext, _ reflect.Value) (err error) {
		flags.File, err = popArgument(ctx)
		return err
	}), reflect.ValueOf(new(string))))
	return next(nil)
}

// popText returns the next argument as it is. The parser's own way replaces bytes that are not UTF-8, and file names may have such.
func popText(ctx *kong.DecodeContext) (string, error) {
	token, err := ctx.Scan.PopValue("text")
	if err != nil {
		return "", err
	}
	text, ok := token.Value.(string)
	if !ok {
		return "", fmt.Errorf("unexpected %v", token)
	}
	return text, nil
}

// popArgument is popText that refuses an empty text of a flag, unless the flag's tag in grammar has "empty". In a script it is most
// often a variable that is not set, and without the flag the command would do more than is meant.
func popArgument(ctx *kong.DecodeContext) (string, error) {
	text, err := popText(ctx)
	if err == nil && text == "" && ctx.Value.Flag != nil && !ctx.Value.Tag.Has("empty") {
		err = errors.New("is empty; expected a value")
	}
	return text, err
}

// appendArgument takes one value of a flag that may be given several times. The parser's own way with lists takes none that begins
// with a hyphen.
func appendArgument(ctx *kong.DecodeContext, target reflect.Value) error {
	text, err := popArgument(ctx)
	target.Set(reflect.Append(target, reflect.ValueOf(text)))
	return err
}

func newFlag(name, form, help string, mapper kong.Mapper, target reflect.Value) *kong.Flag {
	f := &kong.Flag{PlaceHolder: form, Value: &kong.Value{Name: name, Help: help, OrigHelp: help, Mapper: mapper, Tag: &kong.Tag{},
		Target: target.Elem(), DefaultValue: target.Elem()}}
	f.Flag = f
	return f
}

// settingMapper hands the text of a flag on as it is.
type settingMapper struct {
	flags   *config.Flags
	setting config.Setting
}

// Decode implements kong.Mapper.
func (m settingMapper) Decode(ctx *kong.DecodeContext, _ reflect.Value) error {
	text := "true" // "--assets-public" may stand without a value
	if !m.setting.IsSwitch || ctx.Scan.Peek().Type == kong.FlagValueToken {
		var err error
		if text, err = popText(ctx); err != nil {
			return err
		}
	}
	m.flags.Set(m.setting.Key, text)
	return nil
}

// IsBool implements kong.BoolMapper.
func (m settingMapper) IsBool() bool { return m.setting.IsSwitch }

// twoHyphens lets every long flag stand with one hyphen, too: "-data DIR". It leaves alone values and arguments behind "--". The error
// names a flag whose value is missing, which the parser does not see where values may begin with a hyphen.
func twoHyphens(model *kong.Application, args []string) ([]string, error) {
	bools := map[string]bool{}
	_ = kong.Visit(model.Node, func(v kong.Visitable, next kong.Next) error { // no visit of ours fails
		if f, ok := v.(*kong.Flag); ok {
			bools[f.Name] = f.IsBool()
		}
		return next(nil)
	})
	args = slices.Clone(args)
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		name, _, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		isBool, known := bools[name]
		if !known || !strings.HasPrefix(args[i], "-") {
			continue
		}
		if !strings.HasPrefix(args[i], "--") {
			args[i] = "-" + args[i]
		}
		if !isBool && !hasValue {
			i++ // its value
		}
		if i == len(args) {
			return args, fmt.Errorf("%s needs a value", args[i-1])
		}
	}
	return args, nil
}

// usageError is a command line that cannot be understood.
type usageError struct {
	problem string
	hint    string // how it would have been right
}

func (e *usageError) Error() string { return e.problem }

func usagef(format string, args ...any) error {
	return &usageError{problem: fmt.Sprintf(format, args...)}
}

// parse finds out which command args name. The error is a *usageError where they are wrong, and *shown after help or version.
func (p *Program) parse(args []string) (*kong.Context, error) {
	parser, err := p.newParser()
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		return nil, &usageError{"which command?", helpOf(parser.Model.Node)}
	}
	args, problem := twoHyphens(parser.Model, args)
	parsed, err := kong.Trace(parser, args)
	if err != nil {
		return nil, err
	}
	node := selected(parsed)
	if problem == nil {
		parsed, problem = parser.Parse(args)
	}
	if problem == nil {
		return parsed, nil
	}
	if output, ok := errors.AsType[*shown](problem); ok {
		return nil, output
	}
	text := problem.Error()
	if !node.Leaf() {
		text = strings.Replace(text, "unexpected argument", "unknown command", 1)
	}
	return nil, &usageError{text, hintOf(node)}
}

// selected returns the command that is meant, as far as that is known.
func selected(ctx *kong.Context) *kong.Node {
	if n := ctx.Selected(); n != nil {
		return n
	}
	return ctx.Model.Node
}
