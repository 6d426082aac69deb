"""SpanWitness: a record of which model really answered, kept in ClickHouse."""

__version__ = "0.1.0"
