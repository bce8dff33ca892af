"""The platform that is a folder: issues, comments and merge requests as Markdown files.

    issues/3.md                  an issue: YAML front matter (title, author, labels, state) and its text
    issues/3/comments/1.md       a comment: author, created, text; one without front matter is the user's own
    issues/3/.lock               held by the process that works on the issue, whose id is in it
    merge-requests/1.md          a merge request: title, source, target, draft, state, labels, updated, text

People may read, write and add files by hand; a file counts when its name is a number.
"""

from ci_agent.platforms.local.platform import Local

__all__ = ["Local"]
