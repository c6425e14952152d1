namespace Veredus.Configuration;

/// <summary>Answer to a console command.</summary>
/// <param name="Code">0 = done; else as in the console protocol: 400 syntax, 404 no such object, 409 conflict, 422 invalid value.</param>
/// <param name="Text">Body, possibly of several lines; of an error the message.</param>
public sealed record ConsoleResult(int Code, string Text)
{
    public bool IsOk => Code == 0;

    internal static ConsoleResult Ok(string text) => new(0, text.TrimEnd('\n'));
    internal static ConsoleResult Syntax(string text) => new(400, text);
    internal static ConsoleResult NotFound(string text) => new(404, text);
    internal static ConsoleResult Conflict(string text) => new(409, text);
    internal static ConsoleResult Invalid(string text) => new(422, text);
}
