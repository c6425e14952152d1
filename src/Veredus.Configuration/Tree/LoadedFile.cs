using System.Security.Cryptography;

namespace Veredus.Configuration;

/// <summary>A file that a configuration was read from.</summary>
/// <param name="ReadOnly">Reached by readonly_include, or included more than once: never written to.</param>
/// <param name="Hash">SHA-256 of its content when it was read.</param>
public sealed record LoadedFile(string Path, bool ReadOnly, ReadOnlyMemory<byte> Hash)
{
    internal static byte[] HashOf(ReadOnlySpan<byte> content) => SHA256.HashData(content);
}

/// <summary>The outcome of reading a configuration.</summary>
/// <param name="Snapshot">Null when there were errors.</param>
public sealed record LoadResult(ConfigurationSnapshot? Snapshot, IReadOnlyList<Diagnostic> Diagnostics)
{
    public bool Success => Snapshot is not null;
    public IEnumerable<Diagnostic> Errors => Diagnostics.Where(d => d.IsError);
    public IEnumerable<Diagnostic> Warnings => Diagnostics.Where(d => !d.IsError);

    /// <summary>All findings, one after the other, as shown to an operator.</summary>
    public override string ToString() => string.Join('\n', Diagnostics);
}
