"""What a tier installs: Helm releases on a cluster, or the embedded platform of this machine."""
