// Reads Terraform files and prints what is in them as JSON: each file's blocks, what their expressions refer to, the values that
// are literal, and whether the file is formatted. Comparable to a JSON dump of `terraform`'s own parse, which needs no provider.
//
// With --evaluate it prints the value of the expression that stdin has, as JSON.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

type file struct {
	Path      string   `json:"path"`
	Formatted bool     `json:"formatted"`
	Errors    []string `json:"errors"`
	Body      body     `json:"body"`
}

type body struct {
	Attributes map[string]attribute `json:"attributes"`
	Blocks     []block              `json:"blocks"`
}

type block struct {
	Type   string   `json:"type"`
	Labels []string `json:"labels"`
	Line   int      `json:"line"`
	Body   body     `json:"body"`
}

type attribute struct {
	Line int `json:"line"`
	// What the expression refers to, outside of its own `for`s: `var.region`, `aws_eip.pool[0].id` as `aws_eip.pool`.
	References []string `json:"references"`
	// Absent if the expression is no literal.
	Value json.RawMessage `json:"value,omitempty"`
	// The expression as it is written.
	Text string `json:"text"`
}

// expression is what --evaluate takes.
type expression struct {
	Text string `json:"text"`
	// What it may refer to, by the first name: `var`, `local`, a type of resources.
	Variables map[string]ctyjson.SimpleJSONValue `json:"variables"`
}

// Those of Terraform's functions that the modules give to the programs with.
var functions = map[string]function.Function{
	"coalesce":   stdlib.CoalesceFunc,
	"join":       stdlib.JoinFunc,
	"merge":      stdlib.MergeFunc,
	"yamlencode": stdlib.JSONEncodeFunc,
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--evaluate" {
		if err := evaluate(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	files := []file{}
	for _, path := range os.Args[1:] {
		source, err := os.ReadFile(path)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		files = append(files, read(path, source))
	}
	encoder := json.NewEncoder(os.Stdout)
	if err := encoder.Encode(files); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func evaluate(input io.Reader, output io.Writer) error {
	var asked expression
	if err := json.NewDecoder(input).Decode(&asked); err != nil {
		return err
	}
	parsed, diagnostics := hclsyntax.ParseExpression([]byte(asked.Text), "expression", hcl.InitialPos)
	if diagnostics.HasErrors() {
		return diagnostics
	}
	variables := map[string]cty.Value{}
	for name, value := range asked.Variables {
		variables[name] = value.Value
	}
	value, diagnostics := parsed.Value(&hcl.EvalContext{Variables: variables, Functions: functions})
	if diagnostics.HasErrors() {
		return diagnostics
	}
	return json.NewEncoder(output).Encode(ctyjson.SimpleJSONValue{Value: value})
}

func read(path string, source []byte) file {
	result := file{Path: path, Errors: []string{}, Formatted: bytes.Equal(hclwrite.Format(source), source)}
	parsed, diagnostics := hclsyntax.ParseConfig(source, path, hcl.InitialPos)
	for _, diagnostic := range diagnostics {
		result.Errors = append(result.Errors, diagnostic.Error())
	}
	if syntax, ok := parsed.Body.(*hclsyntax.Body); ok {
		result.Body = readBody(syntax, source)
	}
	return result
}

func readBody(syntax *hclsyntax.Body, source []byte) body {
	result := body{Attributes: map[string]attribute{}, Blocks: []block{}}
	for name, found := range syntax.Attributes {
		result.Attributes[name] = readAttribute(found, source)
	}
	for _, found := range syntax.Blocks {
		result.Blocks = append(result.Blocks, block{
			Type:   found.Type,
			Labels: append([]string{}, found.Labels...),
			Line:   found.Range().Start.Line,
			Body:   readBody(found.Body, source),
		})
	}
	return result
}

func readAttribute(found *hclsyntax.Attribute, source []byte) attribute {
	text := string(found.Expr.Range().SliceBytes(source))
	result := attribute{Line: found.SrcRange.Start.Line, References: []string{}, Text: text}
	seen := map[string]bool{}
	for _, traversal := range found.Expr.Variables() {
		seen[name(traversal)] = true
	}
	for reference := range seen {
		result.References = append(result.References, reference)
	}
	sort.Strings(result.References)
	value, diagnostics := found.Expr.Value(nil)
	if !diagnostics.HasErrors() && value.IsWhollyKnown() {
		if text, err := ctyjson.Marshal(value, cty.DynamicPseudoType); err == nil {
			// Of a dynamic type cty writes {"value":…,"type":…}.
			var wrapped struct {
				Value json.RawMessage `json:"value"`
			}
			if json.Unmarshal(text, &wrapped) == nil {
				result.Value = wrapped.Value
			}
		}
	}
	return result
}

// name joins the leading names of a traversal: indices end it, splats and for-loops are not in it.
func name(traversal hcl.Traversal) string {
	parts := []string{}
	for _, step := range traversal {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			parts = append(parts, step.Name)
		case hcl.TraverseAttr:
			parts = append(parts, step.Name)
		default:
			return strings.Join(parts, ".")
		}
	}
	return strings.Join(parts, ".")
}
