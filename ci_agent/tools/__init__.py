"""Something the model may do: the seam between the loop and one file per tool.

A tool gets arguments that fit its parameters and gives an `Answer`, the text the model reads next. Tools
never raise for what a model can mend: they say what is wrong and how to call again.
"""

from ci_agent.tools.ask_user import AskUser
from ci_agent.tools.bash import Bash
from ci_agent.tools.calls import EDITS, Meaning, call, meaning, schema
from ci_agent.tools.edit_file import EditFile
from ci_agent.tools.propose_plan import ProposePlan
from ci_agent.tools.read_file import ReadFile
from ci_agent.tools.run_tests import NOT_RUN_AGAIN, RunTests
from ci_agent.tools.search import Search
from ci_agent.tools.submit import Submit
from ci_agent.tools.tool import Answer, Parameter, Tool, ToolError, World
from ci_agent.tools.update_plan import UpdatePlan
from ci_agent.tools.write_file import WriteFile

__all__ = [
    "EDITS",
    "NOT_RUN_AGAIN",
    "Answer",
    "Meaning",
    "Parameter",
    "Tool",
    "ToolError",
    "World",
    "all_tools",
    "call",
    "meaning",
    "schema",
]


def all_tools(*, planning: bool = False) -> tuple[Tool, ...]:
    """Every tool, in the order the model sees them. A new tool is a file of this folder and a line here.

    `planning`: a person has to approve a plan; nobody else pays for the tool that proposes one.
    """
    return (
        Bash(),
        ReadFile(),
        WriteFile(),
        EditFile(),
        Search(),
        UpdatePlan(),
        *([ProposePlan()] if planning else []),
        RunTests(),
        AskUser(),
        Submit(),
    )
