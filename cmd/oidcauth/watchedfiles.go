package main

// watchedFiles are the files that a configuration names whose content is part of it.
func (file *fileConfig) watchedFiles() []fileName {
	var names []fileName
	if c := file.TLS; c != nil {
		names = append(names, c.CertFile, c.KeyFile)
	}
	if c := file.Admin; c != nil {
		names = append(names, c.SecretFile)
	}
	for i := range file.Introspections { // whose connections trust what it has when it is read
		names = append(names, fileName(file.Issuers[i].Keys.CAFile))
	}
	return names
}

// furtherFiles are the files that have to be there when a configuration is taken over, and
// whose content is read again whenever it is needed, or never.
func (file *fileConfig) furtherFiles() []fileName {
	var names []fileName
	for i := range file.Issuers {
		names = append(names, fileName(file.Issuers[i].Keys.CAFile), fileName(file.Issuers[i].Keys.TokenFile))
	}
	for _, asked := range file.Introspections {
		names = append(names, asked.ClientSecretFile)
	}
	if file.DPoP != nil {
		names = append(names, file.DPoP.NonceKeyFile)
	}
	return names
}

// paths returns the names of the files themselves, as far as they are known.
func paths(files []fileName) []string {
	var names []string
	for _, file := range files {
		if path, err := file.path(); err == nil && path != "" {
			names = append(names, path)
		}
	}
	return names
}
