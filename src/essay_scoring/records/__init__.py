"""The only definition of what is written: records, folders, seals, identities."""
