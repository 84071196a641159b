// Reads Terraform files and prints what is in them as JSON: each file's blocks, what their expressions refer to, the values that
// are literal, and whether the file is formatted. Comparable to a JSON dump of `terraform`'s own parse, which needs no provider.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
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
}

func main() {
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

func read(path string, source []byte) file {
	result := file{Path: path, Errors: []string{}, Formatted: bytes.Equal(hclwrite.Format(source), source)}
	parsed, diagnostics := hclsyntax.ParseConfig(source, path, hcl.InitialPos)
	for _, diagnostic := range diagnostics {
		result.Errors = append(result.Errors, diagnostic.Error())
	}
	if syntax, ok := parsed.Body.(*hclsyntax.Body); ok {
		result.Body = readBody(syntax)
	}
	return result
}

func readBody(syntax *hclsyntax.Body) body {
	result := body{Attributes: map[string]attribute{}, Blocks: []block{}}
	for name, found := range syntax.Attributes {
		result.Attributes[name] = readAttribute(found)
	}
	for _, found := range syntax.Blocks {
		result.Blocks = append(result.Blocks, block{
			Type:   found.Type,
			Labels: append([]string{}, found.Labels...),
			Line:   found.Range().Start.Line,
			Body:   readBody(found.Body),
		})
	}
	return result
}

func readAttribute(found *hclsyntax.Attribute) attribute {
	result := attribute{Line: found.SrcRange.Start.Line, References: []string{}}
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
