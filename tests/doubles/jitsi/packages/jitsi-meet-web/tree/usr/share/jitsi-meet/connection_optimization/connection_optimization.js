// Contract double: no connection is prepared.
