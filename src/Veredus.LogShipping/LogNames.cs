namespace Veredus.LogShipping;

/// <summary>Names that come over the network and end up in paths: of nodes, logs, subclusters and subscribers.</summary>
internal static class LogNames
{
    /// <summary>1 to 64 letters, digits, '_', '.' and '-', and not a name for a directory.</summary>
    public static bool IsSafe(string name) => name.Length is >= 1 and <= 64 && name is not ("." or "..")
        && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-');
}
