module balancer

go 1.24
