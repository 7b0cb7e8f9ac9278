// SPDX-License-Identifier: Apache-2.0

// validate FILE...: holds documents against the schemas of these files. Reads lines of
// {"schema": <its $id>, "document": ...}, answers each with a line: null, or what is wrong.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log"
	"os"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

type question struct {
	Schema   string          `json:"schema"`
	Document json.RawMessage `json:"document"`
}

// Each of them must be a schema itself.
func load(files []string) *jsonschema.Compiler {
	compiler := jsonschema.NewCompiler()
	compiler.Draft = jsonschema.Draft2020
	compiler.AssertFormat = true
	var names []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			log.Fatal(err)
		}
		var named struct {
			ID string `json:"$id"`
		}
		if err := json.Unmarshal(text, &named); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
		if err := compiler.AddResource(named.ID, bytes.NewReader(text)); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
		names = append(names, named.ID)
	}
	for _, name := range names {
		if _, err := compiler.Compile(name); err != nil {
			log.Fatalf("%#v", err)
		}
	}
	return compiler
}

func decode(text []byte) (document interface{}) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&document); err != nil {
		log.Fatal(err)
	}
	return document
}

func main() {
	log.SetFlags(0)
	compiler := load(os.Args[1:])
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		schema, err := compiler.Compile(asked.Schema)
		if err != nil {
			log.Fatal(err)
		}
		said := []byte("null")
		if err := schema.Validate(decode(asked.Document)); err != nil {
			said, _ = json.Marshal(fmt.Sprintf("%#v", err))
		}
		fmt.Println(string(said))
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
