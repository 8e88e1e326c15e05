"""From raw objects to a data version, and from a data version to a release. Knows no Lambda and no AWS client."""
