"""An audit policy read exactly as kube-apiserver reads it: decoded, defaulted and validated, with positions. Pure."""
