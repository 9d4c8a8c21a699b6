"""The colours of the prompt: those of the terminal's own palette, so that they can be read on dark and on light."""

from prompt_toolkit.styles import Style

STYLE = Style.from_dict(
    {
        "prompt": "bold",
        "prompt.searching": "bold ansicyan",
        "command": "ansigreen",
        "command.destructive": "bold ansired",
        "command.unknown": "ansidefault underline",
        "option": "ansicyan",
        "string": "ansiyellow",
        "number": "ansimagenta",
        "comment": "ansibrightblack italic",
        "separator": "bold",
        "unfinished": "ansired",
        "bottom-toolbar": "reverse",
        "toolbar.alarm": "noreverse bg:ansired ansiwhite bold",
        "toolbar.notice": "bold",
    }
)
