"""Other languages → archdsl's."""
