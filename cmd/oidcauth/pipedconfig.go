package main

import "os"

// A pipedConfig is the content of a configuration that is no file, a pipe above all: it is
// there once, and a reload, when a certificate has changed for instance, wants it again.
type pipedConfig struct{ content []byte }

// read reads the configuration as it is now, or as it was if it cannot be read again.
func (p *pipedConfig) read(name string) (fileConfig, error) {
	if info, err := os.Stat(name); err != nil || info.Mode().IsRegular() {
		return readConfig(name)
	}
	if p.content == nil {
		data, err := os.ReadFile(name)
		if err != nil {
			return fileConfig{}, usageError{err}
		}
		p.content = data
	}
	return parseNamed(name, p.content)
}
