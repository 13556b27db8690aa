"""Does a script parse? Without a browser or Node, which not every machine that runs tests has."""

import tree_sitter
import tree_sitter_javascript

_PARSER = tree_sitter.Parser(tree_sitter.Language(tree_sitter_javascript.language()))


def syntax_errors(code: str) -> list[str]:
    """The places of a script, "line: text", that are no JavaScript; empty if all of it is."""
    lines, found, waiting = code.splitlines(), [], [_PARSER.parse(code.encode()).root_node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            row = node.start_point[0]
            found.append(f"{row + 1}: {lines[row] if row < len(lines) else 'the end'}")
        waiting += node.children
    return found
