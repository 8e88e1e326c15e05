"""From raw objects to a data version: collect, validate, split, publish, profile. Knows no Lambda and no AWS client."""
