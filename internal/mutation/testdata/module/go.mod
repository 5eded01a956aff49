module example.com/changed

go 1.26
