using Veredus.ConfigServer;
using Veredus.Configuration;
using Veredus.Duravip;
using Veredus.Network;

namespace Veredus.Node;

/// <summary>Puts what a rehearsal has found into the words that other hosts read.</summary>
internal static class EffectReport
{
    private const int MaxItems = 500;

    /// <param name="owned">The virtual addresses that this node has now.</param>
    public static NodeEffect Of(string node, string subcluster, ReconfigureResult rehearsed, ConfigurationSnapshot current, HostSnapshot? host, IReadOnlyList<string> owned, IReadOnlyList<string> restart)
    {
        if (rehearsed.Change is not { } change)
            return NodeEffect.Refusing(node, subcluster, [.. rehearsed.Diagnostics.Where(diagnostic => diagnostic.IsError).Select(diagnostic => diagnostic.ToString()).Take(50)]) with { Before = Addresses(current, host), Owned = owned };
        var (old, @new) = (change.Old, change.New);
        var (listensBefore, listensAfter) = (Listens(old), Listens(@new));
        var (bindingsBefore, bindingsAfter) = (Bindings(old), Bindings(@new));
        var changed = change.Differences.Select(difference => BindingOf(difference.Scope)).OfType<string>().Distinct().Where(name => bindingsBefore.Contains(name) && bindingsAfter.Contains(name));
        return new(
            node, subcluster, [], [.. rehearsed.Diagnostics.Where(diagnostic => !diagnostic.IsError && diagnostic.Code != "CFG-0905").Select(diagnostic => diagnostic.ToString()).Take(50)],
            [.. change.Differences.Take(MaxItems).Select(difference => new OptionChange(difference.Path, difference.Show(difference.Old), difference.Show(difference.New)))],
            [.. listensAfter.Except(listensBefore)], [.. listensBefore.Except(listensAfter)],
            [.. bindingsAfter.Except(bindingsBefore)], [.. bindingsBefore.Except(bindingsAfter)], [.. changed],
            [.. rehearsed.Diagnostics.Where(diagnostic => diagnostic.Code == "CFG-0905").Select(diagnostic => diagnostic.Near).Concat(restart)],
            Addresses(old, host), Addresses(@new, host), owned);
    }

    private static List<string> Listens(ConfigurationSnapshot configuration) =>
        [.. configuration.Listens.Where(listen => listen.IsEnabled).Select(listen => listen.ToString()).Distinct()];

    private static List<string> Bindings(ConfigurationSnapshot configuration) => [.. configuration.Bindings.Select(binding => binding.Name).Distinct()];

    private static string? BindingOf(ScopeNode scope)
    {
        for (var at = scope; at is not null; at = at.Parent)
            if (at.Kind == ScopeKinds.Binding)
                return at.Instance;
        return null;
    }

    private static List<PlannedAddress> Addresses(ConfigurationSnapshot configuration, HostSnapshot? host)
    {
        if (host is null || !configuration.Modules(ScopeKinds.Cluster).Any() || ClusterConfiguration.Build(configuration, host, 1).Built is not { } built)
            return [];
        return [.. built.Vips.Vips.Select(vip => new PlannedAddress(
            vip.Address.ToString(), vip.Entry.Unit.ToString(), [.. vip.Entry.Services], [.. vip.Entry.Names], vip.Entry.Preference, vip.Entry.Placeability == Placeability.Placeable))];
    }
}
