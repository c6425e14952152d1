using System.Text;

namespace Veredus.Terminal;

/// <summary>What one key did to the line being typed.</summary>
internal enum EditResult
{
    Editing,
    Entered,
    /// <summary>Ctrl-C: the line is thrown away.</summary>
    Abandoned,
    /// <summary>Ctrl-D on an empty line.</summary>
    Closed,
}

/// <summary>A line being typed: cursor, history and completion, without the terminal it is shown on.</summary>
/// <param name="complete">The words that could stand where the line's last word does.</param>
internal sealed class LineEditor(Func<string, IReadOnlyList<string>> complete)
{
    private const int MaxHistory = 500;

    private readonly List<string> _history = [];
    private readonly StringBuilder _line = new();
    private string _draft = "";
    private int _recalled;

    public string Text => _line.ToString();

    public int Cursor { get; private set; }

    /// <summary>Choices to be shown below the line, after a completion that is not clear.</summary>
    public IReadOnlyList<string> Choices { get; private set; } = [];

    public EditResult Press(ConsoleKeyInfo key)
    {
        Choices = [];
        var control = (key.Modifiers & ConsoleModifiers.Control) != 0;
        switch (key.Key)
        {
            case ConsoleKey.Enter:
                Remember();
                return EditResult.Entered;
            case ConsoleKey.C when control:
                return EditResult.Abandoned;
            case ConsoleKey.D when control && _line.Length == 0:
                return EditResult.Closed;
            case ConsoleKey.LeftArrow:
                Cursor = Math.Max(0, Cursor - 1);
                break;
            case ConsoleKey.RightArrow:
                Cursor = Math.Min(_line.Length, Cursor + 1);
                break;
            case ConsoleKey.Home:
            case ConsoleKey.A when control:
                Cursor = 0;
                break;
            case ConsoleKey.End:
            case ConsoleKey.E when control:
                Cursor = _line.Length;
                break;
            case ConsoleKey.Backspace when Cursor > 0:
                _line.Remove(--Cursor, 1);
                break;
            case ConsoleKey.Delete when Cursor < _line.Length:
                _line.Remove(Cursor, 1);
                break;
            case ConsoleKey.K when control:
                _line.Length = Cursor;
                break;
            case ConsoleKey.U when control:
                _line.Remove(0, Cursor);
                Cursor = 0;
                break;
            case ConsoleKey.UpArrow:
                Recall(_recalled + 1);
                break;
            case ConsoleKey.DownArrow:
                Recall(_recalled - 1);
                break;
            case ConsoleKey.Tab:
                Complete();
                break;
            default:
                if (!char.IsControl(key.KeyChar))
                    _line.Insert(Cursor++, key.KeyChar);
                break;
        }
        return EditResult.Editing;
    }

    /// <summary>Begins the next line.</summary>
    public void Clear()
    {
        _line.Clear();
        (Cursor, _recalled, _draft) = (0, 0, "");
    }

    private void Remember()
    {
        var line = Text.Trim();
        // A line with a secret in it is not for the history.
        if (line.Length == 0 || line.StartsWith("auth ", StringComparison.OrdinalIgnoreCase) || line.Contains("password", StringComparison.OrdinalIgnoreCase))
            return;
        if (_history.Count == 0 || _history[^1] != line)
            _history.Add(line);
        if (_history.Count > MaxHistory)
            _history.RemoveAt(0);
    }

    private void Recall(int back)
    {
        if (back < 0 || back > _history.Count)
            return;
        if (_recalled == 0)
            _draft = Text;
        _recalled = back;
        _line.Clear().Append(back == 0 ? _draft : _history[^back]);
        Cursor = _line.Length;
    }

    private void Complete()
    {
        var before = Text[..Cursor];
        var start = before.LastIndexOf(' ') + 1;
        var word = before[start..];
        var words = complete(before).Where(choice => choice.StartsWith(word, StringComparison.OrdinalIgnoreCase)).Distinct().Order(StringComparer.Ordinal).ToList();
        if (words.Count == 0)
            return;
        var common = words[0];
        foreach (var other in words)
        {
            while (!other.StartsWith(common, StringComparison.OrdinalIgnoreCase))
                common = common[..^1];
        }
        var completed = words.Count == 1 ? common + " " : common;
        if (completed.Length > word.Length)
        {
            _line.Remove(start, word.Length).Insert(start, completed);
            Cursor = start + completed.Length;
        }
        else
        {
            Choices = words;
        }
    }
}
