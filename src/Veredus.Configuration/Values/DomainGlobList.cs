using System.Collections.Frozen;

namespace Veredus.Configuration;

/// <summary>Domain names, of which a leading <c>*</c> stands for any text. <c>*.x</c> doesn't match <c>x</c>; <c>*x</c> matches <c>notx</c> too.</summary>
public sealed class DomainGlobList
{
    public static readonly DomainGlobList Empty = new([]);
    private readonly FrozenSet<string> _names;
    private readonly FrozenSet<string> _parents;
    private readonly string[] _endings;
    private readonly FrozenSet<string>.AlternateLookup<ReadOnlySpan<char>> _parentLookup;

    /// <param name="patterns">In canonical form: lower case, A-labels, no trailing dot.</param>
    public DomainGlobList(IReadOnlyList<string> patterns)
    {
        Patterns = patterns;
        _names = patterns.Where(p => !p.StartsWith('*')).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        _parents = patterns.Where(p => p.StartsWith("*.", StringComparison.Ordinal)).Select(p => p[2..]).ToFrozenSet(StringComparer.OrdinalIgnoreCase);
        _endings = [.. patterns.Where(p => p.StartsWith('*') && !p.StartsWith("*.", StringComparison.Ordinal)).Select(p => p[1..])];
        _parentLookup = _parents.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    public IReadOnlyList<string> Patterns { get; }

    public bool IsEmpty => Patterns.Count == 0;

    /// <summary>Whether <paramref name="domain"/> (A-labels, no trailing dot, any letter case) is meant by one of the patterns.</summary>
    public bool Matches(string domain)
    {
        if (_names.Contains(domain))
            return true;
        if (_parents.Count > 0)
        {
            for (var dot = domain.IndexOf('.', StringComparison.Ordinal); dot >= 0; dot = domain.IndexOf('.', dot + 1))
            {
                if (dot > 0 && _parentLookup.Contains(domain.AsSpan(dot + 1)))
                    return true;
            }
        }
        foreach (var ending in _endings)
        {
            if (domain.EndsWith(ending, StringComparison.OrdinalIgnoreCase))
                return true;
        }
        return false;
    }
}
