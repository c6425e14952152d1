namespace Veredus.Control;

/// <summary>What a command answers: a status line, then body lines that are produced while they are sent.</summary>
public sealed class ControlAnswer
{
    private ControlAnswer(int code, string text, IEnumerable<string> lines) => (Code, Text, Lines) = (code, text, lines);

    /// <summary>0 for <c>+OK</c>, else one of <see cref="ControlErrors"/>.</summary>
    public int Code { get; }

    /// <summary>Behind the status; one line.</summary>
    public string Text { get; }

    /// <summary>Enumerated once, on the session's task, as fast as the client reads.</summary>
    public IEnumerable<string> Lines { get; }

    public static ControlAnswer Ok(string text = "") => new(0, text, []);

    public static ControlAnswer Body(IEnumerable<string> lines) => new(0, "", lines);

    /// <summary>A text of several lines as body.</summary>
    public static ControlAnswer Body(string text) => new(0, "", text.TrimEnd('\n').Split('\n'));

    /// <summary>A refusal; <paramref name="details"/> are the body, printed before the text.</summary>
    public static ControlAnswer Error(int code, string text, IEnumerable<string>? details = null) => new(code, text, details ?? []);

    public static ControlAnswer NotFound(string text) => Error(ControlErrors.NotFound, text);

    public static ControlAnswer Usage(ControlCommand command) =>
        Error(ControlErrors.Syntax, $"usage: {command.Name}{(command.Arguments.Length > 0 ? " " : "")}{command.Arguments}");
}
