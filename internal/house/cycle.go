package main

import "slices"

// largestCycle returns the largest set of nodes of which each can be reached from
// every other, in their order by name (Tarjan's strongly connected components).
func largestCycle(graph map[string]map[string]bool) []string {
	t := tarjan{graph: graph, index: map[string]int{}, low: map[string]int{}, on: map[string]bool{}}
	var nodes []string
	for n := range graph {
		nodes = append(nodes, n)
	}
	slices.Sort(nodes)
	for _, n := range nodes {
		if t.index[n] == 0 {
			t.visit(n)
		}
	}
	slices.Sort(t.largest)
	return t.largest
}

type tarjan struct {
	graph   map[string]map[string]bool
	index   map[string]int // from 1 on, in the order of visits
	low     map[string]int // the earliest node that is reached from here
	on      map[string]bool
	stack   []string
	largest []string
}

func (t *tarjan) visit(n string) {
	t.index[n] = len(t.index) + 1
	t.low[n] = t.index[n]
	t.stack = append(t.stack, n)
	t.on[n] = true
	for to := range t.graph[n] {
		switch {
		case t.index[to] == 0:
			t.visit(to)
			t.low[n] = min(t.low[n], t.low[to])
		case t.on[to]:
			t.low[n] = min(t.low[n], t.index[to])
		}
	}
	if t.low[n] != t.index[n] {
		return
	}
	first := slices.Index(t.stack, n)
	component := slices.Clone(t.stack[first:])
	t.stack = t.stack[:first]
	for _, member := range component {
		t.on[member] = false
	}
	if len(component) > len(t.largest) {
		t.largest = component
	}
}
