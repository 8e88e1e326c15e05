"""What is asked of storage, and where everything lies in it. No AWS client: `andamio.adapters` has those."""
