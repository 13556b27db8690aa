"""Print a script that completes commands, options, their values and --config.* settings.

examples:
  sirjax completion bash > ~/.local/share/bash-completion/completions/sirjax
  sirjax completion zsh > "${fpath[1]}/_sirjax"
  sirjax completion fish > ~/.config/fish/completions/sirjax.fish

The script is static: nothing of sirjax runs when you press the key. Write it again after an update.
"""

import argparse
from collections.abc import Callable, Mapping

from sirjax.cli.parsing import SETTING

FILES = "@"  # in place of values: names of files
Table = dict[str, list[str]]  # words typed so far ("evaluate scans", "train --config") -> what may follow them


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments of `sirjax completion`."""
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="one of %(choices)s")


def run(args: argparse.Namespace) -> int:
    """Prints the script."""
    from sirjax.cli.main import COMMANDS, build_parser

    table = words_of(build_parser(*COMMANDS)) | settings_words()
    table["train"] += table.pop(SETTING)
    print(SCRIPTS[args.shell](table), end="")
    return 0


def words_of(parser: argparse.ArgumentParser, place: str = "") -> Table:
    """What may follow each sequence of commands, and each option that takes a value."""
    table: Table = {place: []}
    for action in parser._actions:  # argparse has no public way to list them
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                table[place].append(name)
                table |= words_of(inner, f"{place} {name}".strip())
            continue
        choices = [str(choice) for choice in action.choices or ()]
        table[place] += action.option_strings or choices
        if action.option_strings and action.nargs != 0:
            table |= {f"{place} {option}".strip(): choices or [FILES] for option in action.option_strings}
    return table


def settings_words() -> Table:
    """All settings as options, under SETTING, and the names of configs."""
    from sirjax.cli.train import config_names, setting_names

    return {SETTING: [f"{SETTING}{name}=" for name in setting_names()], "train --config": config_names()}


def bash(table: Table) -> str:
    """The script for bash."""
    return f"""\
# Completes `sirjax` in bash; written by `sirjax completion bash`.
{_cases(table)}
_sirjax() {{
  local place="" word found i
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    if [[ "$word" != -* && -n "$(_sirjax_words "${{place:+$place }}$word")" ]]; then
      place="${{place:+$place }}$word"
    fi
  done
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD - 1]}}"
  COMPREPLY=()
  found=""
  [[ "$previous" == -* ]] && found="$(_sirjax_words "${{place:+$place }}$previous")"
  [[ "$found" == "{FILES}" || "$previous" == "=" || "$current" == "=" ]] && return
  [[ -z "$found" ]] && found="$(_sirjax_words "$place")"
  for word in $(compgen -W "$found" -- "$current"); do
    [[ "$word" == -* && "$current" != -* ]] || COMPREPLY+=("$word")
  done
  [[ "${{COMPREPLY[0]}}" == *= ]] && compopt -o nospace 2>/dev/null
}}
complete -o default -F _sirjax sirjax
"""


def zsh(table: Table) -> str:
    """The script for zsh."""
    return f"""\
#compdef sirjax
# Completes `sirjax` in zsh; written by `sirjax completion zsh`.
{_cases(table)}
_sirjax() {{
  local place="" word found i
  for ((i = 2; i < CURRENT; i++)); do
    word="${{words[i]}}"
    if [[ "$word" != -* && -n "$(_sirjax_words "${{place:+$place }}$word")" ]]; then
      place="${{place:+$place }}$word"
    fi
  done
  local previous="${{words[CURRENT-1]}}"
  found=""
  [[ "$previous" == -* ]] && found="$(_sirjax_words "${{place:+$place }}$previous")"
  if [[ "$found" == "{FILES}" ]]; then
    _files
    return
  fi
  if [[ -n "$found" ]]; then
    compadd -- ${{=found}}
    return
  fi
  local -a options plain
  for word in ${{=$(_sirjax_words "$place")}}; do
    if [[ "$word" != -* ]]; then plain+=("$word"); elif [[ "${{words[CURRENT]}}" == -* ]]; then options+=("$word"); fi
  done
  compadd -- $plain
  compadd -S '' -- ${{(M)options:#*=}}
  compadd -- ${{options:#*=}}
  _files
}}
if [[ "${{funcstack[1]}}" == _sirjax ]]; then _sirjax "$@"; else compdef _sirjax sirjax; fi
"""


def fish(table: Table) -> str:
    """The script for fish."""
    cases = "\n".join(f'    case "{place}"\n      printf "%s\\n" {" ".join(words)}' for place, words in _sorted(table))
    return f"""\
# Completes `sirjax` in fish; written by `sirjax completion fish`.
function __sirjax_words
  switch "$argv"
{cases}
  end
end
function __sirjax_complete
  set -l typed (commandline -opc)
  set -l place
  for word in $typed[2..-1]
    if not string match -q -- "-*" $word; and test -n "$(__sirjax_words $place $word)"
      set -a place $word
    end
  end
  set -l found
  if string match -q -- "-*" $typed[-1]
    set found (__sirjax_words $place $typed[-1])
  end
  if test "$found" = "{FILES}"
    __fish_complete_path (commandline -ct)
  else if test -n "$found"
    printf "%s\\n" $found
  else if string match -q -- "-*" (commandline -ct)
    __sirjax_words $place
  else
    __sirjax_words $place | string match -v -- "-*"
    __fish_complete_path (commandline -ct)
  end
end
complete -c sirjax -f -a "(__sirjax_complete)"
"""


SCRIPTS: Mapping[str, Callable[[Table], str]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _cases(table: Table) -> str:
    """The table as a function of bash and zsh."""
    cases = "\n".join(f'    "{place}") echo "{" ".join(words)}" ;;' for place, words in _sorted(table))
    return f'_sirjax_words() {{\n  case "$1" in\n{cases}\n  esac\n}}'


def _sorted(table: Table) -> list[tuple[str, list[str]]]:
    return [(place, words) for place, words in sorted(table.items()) if words]
