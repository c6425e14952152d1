using Veredus.Terminal;

namespace Veredus.Cli.Tests;

public sealed class LineEditorTests
{
    private readonly LineEditor _editor = new(_ => ["flush", "flags", "summary"]);

    [Fact]
    public void A_line_is_edited_where_the_cursor_is()
    {
        Type("mailx");
        Press(ConsoleKey.LeftArrow);
        Press(ConsoleKey.Delete);
        Type("q");
        Press(ConsoleKey.Home);
        Type(">");
        Assert.Equal((">mailq", 1), (_editor.Text, _editor.Cursor));
        Press(ConsoleKey.End);
        Press(ConsoleKey.Backspace);
        Assert.Equal(">mail", _editor.Text);
        Press(ConsoleKey.U, ConsoleModifiers.Control);
        Assert.Equal("", _editor.Text);
        Assert.Equal(EditResult.Closed, Press(ConsoleKey.D, ConsoleModifiers.Control));
    }

    [Fact]
    public void History_goes_up_and_back_to_the_draft_and_keeps_no_secret()
    {
        foreach (var line in (string[])["one", "config set password x", "two", "two"])
        {
            Type(line);
            Assert.Equal(EditResult.Entered, Press(ConsoleKey.Enter));
            _editor.Clear();
        }
        Type("dra");
        Press(ConsoleKey.UpArrow);
        Assert.Equal("two", _editor.Text);
        Press(ConsoleKey.UpArrow);
        Press(ConsoleKey.UpArrow);
        Assert.Equal("one", _editor.Text);
        Press(ConsoleKey.DownArrow);
        Press(ConsoleKey.DownArrow);
        Assert.Equal("dra", _editor.Text);
    }

    [Fact]
    public void Tab_completes_as_far_as_it_is_clear_and_then_shows_the_choices()
    {
        Type("su");
        Press(ConsoleKey.Tab);
        Assert.Equal("summary ", _editor.Text);
        _editor.Clear();
        Type("f");
        Press(ConsoleKey.Tab);
        Assert.Equal(("fl", 0), (_editor.Text, _editor.Choices.Count));
        Press(ConsoleKey.Tab);
        Assert.Equal(["flags", "flush"], _editor.Choices);
        Type("x");
        Press(ConsoleKey.Tab);
        Assert.Equal("flx", _editor.Text);
    }

    private void Type(string text)
    {
        foreach (var character in text)
            _editor.Press(new(character, ConsoleKey.None, false, false, false));
    }

    private EditResult Press(ConsoleKey key, ConsoleModifiers modifiers = default) =>
        _editor.Press(new('\0', key, false, false, (modifiers & ConsoleModifiers.Control) != 0));
}
