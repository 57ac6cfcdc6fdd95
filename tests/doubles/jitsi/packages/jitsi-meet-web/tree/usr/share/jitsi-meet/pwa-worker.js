// Contract double: caches nothing.
