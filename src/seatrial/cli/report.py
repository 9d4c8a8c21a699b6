"""`seatrial report`: a run that was kept, as a report to read, to send around, or for a machine."""

from pathlib import Path

import click

from seatrial.cli.options import state_dir_option, store_option

_EPILOG = """\b
Examples:
  # the latest run, for a browser
  seatrial report --file report.html
  # for CI and for a comment on a pull request
  seatrial report last --file junit.xml
  seatrial report 3f2a --format markdown
  # the JSON Schema of --format json
  seatrial report --schema > report-schema.json
"""


@click.command(epilog=_EPILOG)
@click.argument("run", metavar="[RUN]", default="last")
@click.option(
    "--format", "-f", "form", type=click.Choice(["html", "json", "junit", "markdown"]),
    help="The form.  [default: the one that the file's name asks for; markdown without a file]",
)  # fmt: skip
@click.option(
    "--file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write it to this file; .html, .json, .xml or .md says which form.  [default: standard output]",
)  # fmt: skip
@click.option("--schema", is_flag=True, help="Print the JSON Schema of reports, and no report.")
@store_option
@state_dir_option
def report(
    run: str, form: str | None, file: Path | None, schema: bool, store: str | None, state_dir: Path | None
) -> None:
    """Write a report of a run: its id, the beginning of it, or 'last'.

    A run that is still going on is told as far as it has come, and so is one that died.
    """
    from seatrial.cli.store_lookup import opened_store
    from seatrial.report.formats import as_format, format_of, rendered, write_report
    from seatrial.report.run_report.gathering import gather

    if schema:
        from seatrial.report.run_report.codec import schema_text

        click.echo(schema_text(), nl=False)
        return
    chosen = as_format(form) if form else (format_of(file) if file else "markdown")
    with opened_store(store, state_dir) as kept:
        text = rendered(gather(kept.run(run), kept), chosen)
    if file is None:
        click.echo(text, nl=False)
    else:
        write_report(text, file)
