"""The controllers that kube-controller-manager runs, as far as the sandbox has them."""
