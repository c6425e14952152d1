using System.Text.RegularExpressions;

namespace Veredus.Configuration;

/// <summary>
/// A regular expression of an operator, run with bounded time: without backtracking where its constructs allow that
/// (linear in the input, so without a limit), otherwise with a limit of 100 ms, after which it counts as not matching. Unanchored, culture-invariant.
/// </summary>
public sealed class Pattern
{
    public const int MaxLength = 4096;
    private static readonly TimeSpan Limit = TimeSpan.FromMilliseconds(100);
    private readonly Regex _regex;

    private Pattern(string text, Regex regex) => (Text, _regex) = (text, regex);

    public string Text { get; }

    /// <summary>False for patterns with look-around, back-references and the like, which can run into the time limit.</summary>
    public bool IsLinear => _regex.Options.HasFlag(RegexOptions.NonBacktracking);

    public bool IsMatch(ReadOnlySpan<char> input)
    {
        try
        {
            return _regex.IsMatch(input);
        }
        catch (RegexMatchTimeoutException)
        {
            return false;
        }
    }

    public static bool TryParse(string text, bool ignoreCase, out Pattern pattern, out string error)
    {
        (pattern, error) = (null!, "");
        if (text.Length > MaxLength)
        {
            error = $"a regular expression has at most {MaxLength} characters";
            return false;
        }
        var options = RegexOptions.CultureInvariant | (ignoreCase ? RegexOptions.IgnoreCase : RegexOptions.None);
        try
        {
            pattern = new(text, new(text, options | RegexOptions.NonBacktracking));
        }
        catch (NotSupportedException)
        {
            pattern = new(text, new(text, options, Limit));
            _ = pattern.IsMatch("");  // the first match also pays for compiling the matcher; that must not count against the limit
        }
        catch (ArgumentException e)
        {
            error = e.Message;
            return false;
        }
        return true;
    }

    public override string ToString() => Text;
}

/// <summary>Several patterns; matches when one does.</summary>
public sealed class PatternList(IReadOnlyList<Pattern> patterns)
{
    public static readonly PatternList Empty = new([]);

    public IReadOnlyList<Pattern> Patterns { get; } = patterns;

    public bool IsEmpty => Patterns.Count == 0;

    public bool IsMatch(ReadOnlySpan<char> input)
    {
        foreach (var pattern in Patterns)
        {
            if (pattern.IsMatch(input))
                return true;
        }
        return false;
    }
}
