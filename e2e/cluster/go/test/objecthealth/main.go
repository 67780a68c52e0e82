// Program objecthealth says what GitOps tools make of objects: kstatus, with which Helm 4 and Flux
// wait, and a health script as Argo CD runs it.
//
// Stdin: {"script": "the Lua text", "objects": [object, ...]}. Stdout: one line of JSON for each
// object, in their order: {"kstatus": "Current", "kstatusMessage": ..., "argo": "Healthy",
// "argoMessage": ...}. Ends with 1 and a line on stderr when a script or an object cannot be read.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	kubejson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

type request struct {
	Script  string            `json:"script"`
	Objects []json.RawMessage `json:"objects"`
}

type verdict struct {
	Kstatus        string `json:"kstatus"`
	KstatusMessage string `json:"kstatusMessage"`
	Argo           string `json:"argo"`
	ArgoMessage    string `json:"argoMessage"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	var asked request
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	answers := json.NewEncoder(os.Stdout)
	for number, text := range asked.Objects {
		// Not encoding/json: whole numbers must be int64, or kstatus does not see them.
		var object map[string]any
		if err := kubejson.Unmarshal(text, &object); err != nil {
			return fmt.Errorf("object %d: %w", number, err)
		}
		answer, err := judge(asked.Script, object)
		if err != nil {
			return fmt.Errorf("object %d: %w", number, err)
		}
		if err := answers.Encode(answer); err != nil {
			return err
		}
	}
	return nil
}

func judge(script string, object map[string]any) (verdict, error) {
	result, err := status.Compute(&unstructured.Unstructured{Object: object})
	if err != nil {
		return verdict{}, fmt.Errorf("kstatus: %w", err)
	}
	health, message, err := runScript(script, object)
	if err != nil {
		return verdict{}, fmt.Errorf("the script: %w", err)
	}
	return verdict{string(result.Status), result.Message, health, message}, nil
}

// runScript opens what Argo CD opens unless its administrator allows more: no string, math, io.
func runScript(script string, object map[string]any) (string, string, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{
		{lua.LoadLibName, lua.OpenPackage},
		{lua.BaseLibName, lua.OpenBase},
		{lua.TabLibName, lua.OpenTable},
	} {
		call := lua.P{Fn: state.NewFunction(library.open), NRet: 0, Protect: true}
		if err := state.CallByParam(call, lua.LString(library.name)); err != nil {
			return "", "", err
		}
	}
	state.SetGlobal("obj", value(state, object))
	if err := state.DoString(script); err != nil {
		return "", "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("it returned a %s, not a table", state.Get(-1).Type())
	}
	return text(table, "status"), text(table, "message"), nil
}

func text(table *lua.LTable, name string) string {
	if found, ok := table.RawGetString(name).(lua.LString); ok {
		return string(found)
	}
	return ""
}

func value(state *lua.LState, given any) lua.LValue {
	switch typed := given.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, one := range typed {
			table.RawSetString(key, value(state, one))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, one := range typed {
			table.Append(value(state, one))
		}
		return table
	case string:
		return lua.LString(typed)
	case int64:
		return lua.LNumber(typed)
	case float64:
		return lua.LNumber(typed)
	case bool:
		return lua.LBool(typed)
	}
	return lua.LNil
}
