"""The Python interface, which `import mtmc` re-exports: scenarios in, identities out; no globals, no environment."""
