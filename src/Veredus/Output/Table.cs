using System.Text;
using Veredus.Logging;

namespace Veredus.Output;

/// <summary>A column of a table.</summary>
/// <param name="Title">In capitals.</param>
/// <param name="IsNumber">Aligned right.</param>
internal readonly record struct Column(string Title, bool IsNumber = false);

/// <summary>A list as text: aligned; on a terminal cut to its width, elsewhere never.</summary>
internal sealed class Table(params Column[] columns)
{
    private readonly List<string[]> _rows = [];

    public int Count => _rows.Count;

    public void Add(params string[] cells) => _rows.Add([.. cells.Select(cell => SafeText.Visible(cell).ReplaceLineEndings(" ").Replace('\t', ' '))]);

    public void Print(Screen screen, bool header)
    {
        var widths = columns.Select((column, index) => _rows.Select(row => row[index].Length).Append(header ? column.Title.Length : 0).Max()).ToArray();
        while (screen.IsTerminal && widths.Sum() + (2 * (widths.Length - 1)) > screen.Width && Array.IndexOf(widths, widths.Max()) is var widest && widths[widest] > 12)
            widths[widest]--;
        if (header)
            screen.Line(Compose([.. columns.Select(column => column.Title)], widths), Tone.Dim);
        foreach (var row in _rows)
            screen.Line(Compose(row, widths));
    }

    /// <summary>Values separated by commas or tabs; quoted as RFC 4180 asks where commas separate.</summary>
    public void PrintSeparated(Screen screen, char separator, bool header)
    {
        if (header)
            screen.Line(string.Join(separator, columns.Select(column => Field(column.Title.ToLowerInvariant(), separator))));
        foreach (var row in _rows)
            screen.Line(string.Join(separator, row.Select(cell => Field(cell, separator))));
    }

    private string Compose(string[] cells, int[] widths)
    {
        var line = new StringBuilder();
        for (var index = 0; index < cells.Length; index++)
        {
            var cell = cells[index].Length <= widths[index] ? cells[index] : cells[index][..(widths[index] - 1)] + "…";
            line.Append(columns[index].IsNumber ? cell.PadLeft(widths[index]) : cell.PadRight(widths[index])).Append("  ");
        }
        return line.ToString().TrimEnd();
    }

    private static string Field(string text, char separator) => separator == ',' && text.AsSpan().IndexOfAny(",\"\n") >= 0
        ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text;
}
