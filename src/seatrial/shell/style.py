"""The colours of the prompt: those of the terminal's own palette, so that they can be read on dark and on light.

What matters less has a grey of ours that can be read on both: the palette's "bright black" is the background of some.
"""

from prompt_toolkit.styles import Style

_QUIET = "#7d8b99"

STYLE = Style.from_dict(
    {
        "prompt": "bold",
        "prompt.continuation": _QUIET,
        "prompt.searching": "bold ansicyan",
        "command": "ansigreen",
        "command.destructive": "bold ansired",
        "command.unknown": "ansidefault underline",
        "option": "ansicyan",
        "string": "ansiyellow",
        "number": "ansimagenta",
        "comment": f"{_QUIET} italic",
        "separator": "bold",
        "unfinished": "ansired",
        "auto-suggestion": _QUIET,
        "completion-menu": "bg:default default",
        "completion-menu.completion.current": "bg:default ansicyan bold reverse",
        "completion-menu.meta.completion": f"bg:default {_QUIET}",
        "completion-menu.meta.completion.current": "bg:default ansicyan reverse",
        "completion-menu.completion fuzzymatch.outside": "default",
        "completion-menu.completion fuzzymatch.inside": "ansicyan bold",
        "completion-menu.completion.current fuzzymatch.inside": "default",
        "scrollbar.background": "bg:default",
        "scrollbar.button": "bg:default ansicyan reverse",
        "bottom-toolbar": "reverse",
        "toolbar.alarm": "noreverse bg:ansired ansiwhite bold",
        "toolbar.notice": "bold",
    }
)
