"""Reports: from records to text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rowpress.columns import Column
from rowpress.locales import locale_named
from rowpress.pages import bound, paginate
from rowpress.style import style_with
from rowpress.subtotals import grouped, total

Row = list[str]


class Report:
    """Columns, what is grouped and added up, and what it all looks like."""

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        group_by: str | None = None,
        totals: Sequence[str] = (),
        **style: Any,
    ) -> None:
        self.columns = list(columns)
        self.group_by = group_by
        self.totals = list(totals)
        self.style = style_with(style)
        self.locale = locale_named(self.style["locale"])

    def render(self, records: Sequence[Mapping[str, object]]) -> str:
        """The whole report, with a form feed between two pages."""
        return bound(self.pages(records))

    def pages(self, records: Sequence[Mapping[str, object]]) -> list[str]:
        """The text of each page."""
        rows = list(self._rows(records))
        widths = [
            column.width_for(row[place] for row in rows if row is not None)
            for place, column in enumerate(self.columns)
        ]
        heading = [
            self._line([column.title for column in self.columns], widths),
            self._rule("head", widths),
        ]
        lines = [
            self._rule("total", widths) if row is None else self._line(row, widths)
            for row in rows
        ]
        page = self.style["page"]
        return paginate(lines, heading, per_page=page["lines"], numbers=page["numbers"])

    def _rows(self, records: Sequence[Mapping[str, object]]) -> Iterator[Row | None]:
        """The cells of each line; None stands for a rule."""
        if self.group_by is None:
            yield from map(self._cells, records)
        else:
            for group in grouped(records, self.group_by, self.totals):
                yield from map(self._cells, group.records)
                if self.totals:
                    yield self._sums(f"Total {self._label(group.key)}", group.totals)
        if self.totals:
            yield None
            sums = {field: total(records, field) for field in self.totals}
            yield self._sums("Total", sums)

    def _label(self, key: object | None) -> str:
        column = next(column for column in self.columns if column.field == self.group_by)
        return column.show(key, self.locale) or "-"

    def _cells(self, record: Mapping[str, object]) -> Row:
        return [column.show(record[column.field], self.locale) for column in self.columns]

    def _sums(self, label: str, sums: Mapping[str, object]) -> Row:
        """A line of totals; its label stands in the first column."""
        cells = [column.show(sums.get(column.field), self.locale) for column in self.columns]
        return [label, *cells[1:]]

    def _line(self, row: Row, widths: Sequence[int]) -> str:
        cells = [
            column.fit(text, width)
            for column, text, width in zip(self.columns, row, widths, strict=True)
        ]
        return (" " * self.style["gap"]).join(cells).rstrip()

    def _rule(self, name: str, widths: Sequence[int]) -> str:
        length = sum(widths) + self.style["gap"] * (len(widths) - 1)
        return self.style["rule"][name] * length
