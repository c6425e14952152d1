using Veredus.Logging;

namespace Veredus.Output;

/// <summary>What a line means; shown in colour where colour is wanted, and always in words too.</summary>
internal enum Tone
{
    Plain,
    Good,
    Warning,
    Bad,
    Dim,
    Strong,
}

/// <summary>One of the two output streams: what it may show, and how wide it is.</summary>
/// <param name="writer">Where it goes.</param>
/// <param name="isTerminal">A person reads along.</param>
/// <param name="hasColor">Escape codes are wanted.</param>
/// <param name="width">Columns; int.MaxValue when nothing is to be cut.</param>
internal sealed class Screen(TextWriter writer, bool isTerminal, bool hasColor, int width)
{
    public TextWriter Writer => writer;

    public bool IsTerminal => isTerminal;

    public int Width => width;

    /// <summary>Writes one line; text from outside becomes visible, never active (cli.md 4.9).</summary>
    public void Line(string text = "", Tone tone = Tone.Plain) => writer.WriteLine(Toned(text, tone));

    public void Write(string text, Tone tone = Tone.Plain) => writer.Write(Toned(text, tone));

    public string Toned(string text, Tone tone)
    {
        text = SafeText.Visible(text);
        return hasColor && tone is not Tone.Plain && text.Length > 0 ? $"\e[{Code(tone)}m{text}\e[0m" : text;
    }

    /// <summary>A terminal's own wishes (cli.md 4.3): <c>--color</c>, then NO_COLOR and TERM=dumb, then FORCE_COLOR, then whether it is one.</summary>
    public static bool WantsColor(string choice, bool isTerminal, Func<string, string?> environment) => choice switch
    {
        "always" => true,
        "never" => false,
        _ when environment("NO_COLOR") is { Length: > 0 } || environment("TERM") == "dumb" => false,
        _ when environment("FORCE_COLOR") is { Length: > 0 } || environment("CLICOLOR_FORCE") is { Length: > 0 } and not "0" => true,
        _ => isTerminal,
    };

    // Sixteen colours: the user's theme decides what they look like.
    private static string Code(Tone tone) => tone switch
    {
        Tone.Good => "32",
        Tone.Warning => "33",
        Tone.Bad => "31",
        Tone.Dim => "2",
        _ => "1",
    };
}
