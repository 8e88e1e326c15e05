"""What Andamio relies on of AWS, as tests that run against any target: an emulator, moto, or an account of AWS.

A test is one behaviour. Its docstring says what AWS does and where AWS says so, and it asserts AWS's rule, never what
an emulator does instead. What each target answers is kept in `expected.json`, and a test fails where a target answers
otherwise than it did. Nothing here needs the Andamio stack: each test makes what it needs and deletes it.
"""
