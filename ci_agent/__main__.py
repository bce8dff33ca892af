"""`python -m ci_agent` is the same as `ci-agent`."""

from ci_agent.cli import main

if __name__ == "__main__":
    main()
