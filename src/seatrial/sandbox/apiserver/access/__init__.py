"""Who may do what: authentication, impersonation, RBAC and its default roles, kubelets' rights, tokens, reviews."""
