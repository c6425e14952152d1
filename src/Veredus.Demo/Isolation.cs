namespace Veredus.Demo;

/// <summary>How far a demo is kept apart from its host (cli.md 12), best first.</summary>
internal enum IsolationKind
{
    /// <summary>Network namespaces, as root.</summary>
    NetNs,
    /// <summary>Network namespaces inside a user namespace: everything real, without root.</summary>
    UserNs,
    /// <summary>Neither: one machine's loopback.</summary>
    Loopback,
}

/// <summary>Which isolation a demo uses, and why not a better one.</summary>
internal sealed record Isolation(IsolationKind Kind, string Why)
{
    /// <summary>What has to work inside; ends with 0 when all of it did.</summary>
    private const string Trial = $"{Launcher.MountScript} && ip link add br0 type bridge && ip netns add trial && ip netns exec trial true";

    public string Name => NameOf(Kind);

    public static string NameOf(IsolationKind kind) => kind.ToString().ToLowerInvariant();

    /// <summary>The first line of every demo.</summary>
    public override string ToString() => $"isolation {Name}: {Why}";

    /// <summary>Tries what is possible here, best first; <paramref name="wanted"/> asks for one of them.</summary>
    /// <exception cref="IOException">The wanted one does not work here; the message says why.</exception>
    public static async Task<Isolation> ChooseAsync(IsolationKind? wanted, CancellationToken cancellationToken)
    {
        if (wanted == IsolationKind.Loopback)
            return new(IsolationKind.Loopback, "asked for with --isolation");
        var (reasons, kinds) = (new List<string>(), wanted is { } one ? [one] : new[] { IsolationKind.NetNs, IsolationKind.UserNs });
        if (Missing() is { } missing)
        {
            reasons.Add(missing);
            kinds = [];
        }
        foreach (var kind in kinds)
        {
            if (await WhyNotAsync(kind, cancellationToken) is not { } whyNot)
                return new(kind, Environment.IsPrivilegedProcess && kind == IsolationKind.NetNs ? "this is root, everything is real"
                    : string.Join("; ", [.. reasons, "user namespaces work, everything is real"]));
            reasons.Add($"not {NameOf(kind)}: {whyNot}");
        }
        return wanted is null ? new(IsolationKind.Loopback, string.Join("; ", reasons)) : throw new IOException(string.Join("; ", reasons));
    }

    private static string? Missing()
    {
        if (!OperatingSystem.IsLinux())
            return "network namespaces exist on Linux only";
        var missing = new (string Program, string Package)[] { ("corosync", "corosync"), ("ip", "iproute2"), ("unshare", "util-linux"), ("setpriv", "util-linux") }
            .Where(need => Tool.Find(need.Program) is null).Select(need => need.Package).Distinct().ToArray();
        return missing.Length == 0 ? null : $"not netns or userns: not installed: {string.Join(", ", missing)}";
    }

    private static async Task<string?> WhyNotAsync(IsolationKind kind, CancellationToken cancellationToken)
    {
        if (kind == IsolationKind.NetNs && !Environment.IsPrivilegedProcess)
            return "this is not root";
        var (exitCode, words) = await Tool.TryAsync([.. Launcher.Unshare(kind), "sh", "-c", Trial], cancellationToken);
        return exitCode == 0 ? null : words.Length > 0 ? words : $"unshare ended with {exitCode}";
    }
}
