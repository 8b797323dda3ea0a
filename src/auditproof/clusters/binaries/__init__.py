"""etcd and kube-apiserver: found, downloaded or built."""
