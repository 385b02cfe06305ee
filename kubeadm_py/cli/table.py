"""List the commands: what is typed, and where its flags are defined."""

from __future__ import annotations

COMMANDS = {
    "init": "init:init",
    "join": "join:join",
    "apply": "apply:apply",
    "plan": "plan:plan",
    "status": "status:status",
    "logs": "logs:logs",
    "verify": "verify:verify",
    "reset": "reset:reset",
    "remove": "remove:remove",
    "preflight": "preflight:preflight",
    "render": "render:render",
    "version": "version:version",
    "completion": "completion:completion",
    "token create": "token:create",
    "token list": "token:list_",
    "token delete": "token:delete",
    "token generate": "token:generate",
    "etcd status": "etcd:status",
    "etcd members": "etcd:members",
    "etcd keys": "etcd:keys",
    "etcd get": "etcd:get",
    "etcd defrag": "etcd:defrag",
    "certs check-expiration": "certs:check_expiration",
    "certs renew": "certs:renew",
    "certs generate-csr": "certs:generate_csr",
    "certs certificate-key": "certs:certificate_key",
    "config validate": "config:validate",
    "config adopt": "config:adopt",
    "config migrate": "config:migrate",
    "config print init-defaults": "config_print:init_defaults",
    "config print join-defaults": "config_print:join_defaults",
    "config print reset-defaults": "config_print:reset_defaults",
    "config print upgrade-defaults": "config_print:upgrade_defaults",
    "config schema": "config_print:schema",
    "config images list": "config:images_list",
    "config images pull": "config:images_pull",
    "kubeconfig get": "kubeconfig:get",
    "kubeconfig user": "kubeconfig:user",
    "addon list": "addon:list_",
    "addon show": "addon:show",
    "addon render": "addon:render",
    "addon diff": "addon:diff",
    "addon install": "addon:install",
    "addon remove": "addon:remove",
    "dashboard": "dashboard:dashboard",
    "bundle create": "bundle:create",
    "bundle verify": "bundle:verify",
    "bundle push": "bundle:push",
    "upgrade plan": "upgrade:plan",
    "upgrade apply": "upgrade:apply",
    "upgrade node": "upgrade:node",
    "upgrade diff": "upgrade:diff",
}
"""Command -> MODULE:FUNCTION in cli/commands; help lists them in this order."""

GROUPS = {
    "token": "Create, list and delete bootstrap tokens.",
    "etcd": "Look into etcd, and tidy it up.",
    "certs": "Look after certificates and keys.",
    "config": "Look at configs and the images that they need.",
    "config images": "Images that a config needs.",
    "config print": "Print kubeadm's documents with their defaults.",
    "kubeconfig": "Get the cluster's kubeconfig, or make one for a user.",
    "addon": "Look at add-ons, bring them and take them out.",
    "bundle": "Make bundles for hosts without a way out, check them, and fill a registry from them.",
    "upgrade": "Upgrade a cluster; not there yet.",
}
"""What a word stands for that other commands begin with."""

SILENT = {
    "certs check-expiration": ("show-managed-fields",),
    "config images list": ("kubeconfig", "show-managed-fields"),
    "config images pull": ("kubeconfig",),
    "config migrate": ("kubeconfig", "allow-experimental-api"),
    "config print init-defaults": ("kubeconfig",),
    "config print join-defaults": ("kubeconfig",),
    "config print reset-defaults": ("kubeconfig",),
    "config print upgrade-defaults": ("kubeconfig",),
    "config validate": ("kubeconfig", "allow-experimental-api"),
    "token generate": ("dry-run", "kubeconfig"),
    "token list": ("dry-run", "show-managed-fields"),
}
"""kubeadm's flags that change nothing there, or nothing of what is here; they are taken and not shown."""

ANYTHING = ("upgrade plan", "upgrade apply", "upgrade node", "upgrade diff")
"""Commands that are answered whatever stands behind them."""
