"""A BigQuery of our own on loopback, for the real client.

`server.running_bigquery` starts it; `server` lists where it differs from the real service.
"""
