using System.Collections.Frozen;
using System.Runtime.CompilerServices;

namespace Veredus.Configuration;

/// <summary>Look-ups in the option table and the table of scopes.</summary>
public static class Schema
{
    private static readonly FrozenDictionary<string, Option[]> ByName;
    private static readonly FrozenDictionary<string, ScopeDefinition> Scopes;
    private static readonly Option[] Wildcards;

    static Schema()
    {
        RuntimeHelpers.RunClassConstructor(typeof(Options).TypeHandle);
        AllOptions = [.. OptionSection.Registry.OrderBy(o => o.Facts.Order)];
        ByName = AllOptions.GroupBy(o => o.Name).ToFrozenDictionary(g => g.Key, g => g.ToArray(), StringComparer.OrdinalIgnoreCase);
        Wildcards = [.. AllOptions.Where(o => o.Name.EndsWith('*'))];
        Scopes = ScopeDefinition.All.ToFrozenDictionary(s => s.Name, StringComparer.OrdinalIgnoreCase);
        foreach (var option in AllOptions)
        {
            if (option.Scopes.Includes(ScopeKinds.Sending | ScopeKinds.Host))
                option.SendingSlot = SendingSlots++;
            if (option.Scopes.Includes(ScopeKinds.Inbound | ScopeKinds.AnyListener | ScopeKinds.Global))
                option.InboundSlot = InboundSlots++;
        }
    }

    /// <summary>Every option, in the order of the table. A name may stand there several times, with different scopes.</summary>
    public static IReadOnlyList<Option> AllOptions { get; }

    internal static int SendingSlots { get; }
    internal static int InboundSlots { get; }

    /// <summary>The option of this name that may be set in a scope of <paramref name="kind"/>, or null.</summary>
    public static Option? Find(string name, ScopeKinds kind)
    {
        if (ByName.TryGetValue(name, out var candidates))
        {
            foreach (var option in candidates)
            {
                if (option.Scopes.Includes(kind))
                    return option;
            }
        }
        foreach (var option in Wildcards)
        {
            if (option.Scopes.Includes(kind) && name.StartsWith(option.Name.AsSpan(0, option.Name.Length - 1), StringComparison.OrdinalIgnoreCase))
                return option;
        }
        return null;
    }

    /// <summary>All options of this name, whatever their scopes.</summary>
    public static IReadOnlyList<Option> FindAll(string name) => ByName.TryGetValue(name, out var options) ? options : [];

    internal static ScopeDefinition? FindScope(string name) => Scopes.GetValueOrDefault(name);

    internal static ScopeDefinition? FindScope(string name, ScopeKinds parent) =>
        Scopes.TryGetValue(name, out var scope) && scope.Parents.Includes(parent) ? scope : null;

    internal static string ScopeName(ScopeKinds kind) => kind == ScopeKinds.Global ? "global"
        : ScopeDefinition.All.FirstOrDefault(s => s.Kind == kind)?.Name ?? kind.ToString();

    /// <summary>"binding, domain, global": for messages and the reference page.</summary>
    internal static string ScopeNames(ScopeKinds kinds) => string.Join(", ", kinds.Each().Where(k => k != ScopeKinds.Ignored).Select(ScopeName));

    /// <summary>Names that may stand in a scope, for "did you mean".</summary>
    internal static IEnumerable<string> NamesIn(ScopeKinds kind) =>
        AllOptions.Where(o => o.Scopes.Includes(kind)).Select(o => o.Name)
            .Concat(ScopeDefinition.All.Where(s => s.Parents.Includes(kind)).Select(s => s.Name));
}
