using System.Net;

namespace Veredus.Configuration;

/// <summary>What only the whole configuration can tell: references, contradictions (05xx).</summary>
internal static class CrossChecks
{
    private static readonly HashSet<string> ReplicationTypes = new(StringComparer.OrdinalIgnoreCase)
    {
        "inbound_cidr", "outbound_cidr", "outbound_domains", "outbound_domain", "outbound_binding_domains", "shared_named_throttles", "OBTM", "OBTC", "metrics", "eccmgr_metrics", "cache",
    };

    private static readonly HashSet<string> ReplicationParameters = new(StringComparer.OrdinalIgnoreCase)
    {
        "snapshot", "connect", "delivery", "transfail", "permfail", "reception", "rejection", "audit_series", "gauge_cache",
    };

    public static void Run(ScopeNode root, DiagnosticBag diagnostics)
    {
        var groupOf = CheckBindings(root, diagnostics);
        var groups = root.ChildrenOf(ScopeKinds.BindingGroup).Select(g => g.Instance).Append("default").ToHashSet();
        var pathways = CheckPathways(root, diagnostics);
        foreach (var node in root.Walk())
        {
            Reference(node, Options.AssignBinding, groupOf.ContainsKey, "binding", diagnostics);
            Reference(node, Options.AssignBindingGroup, groups.Contains, "binding_group", diagnostics);
            Reference(node, Options.RuleBinding, groupOf.ContainsKey, "binding", diagnostics);
            Reference(node, Options.RuleBindingGroup, groups.Contains, "binding_group", diagnostics);
            Reference(node, Options.ReplicateBindingGroup, groups.Contains, "binding_group", diagnostics);
            Reference(node, Options.PathwayName, pathways.Contains, "pathway", diagnostics);
            if (node.Find(Options.RelayForSendingDomains) is Resolved<DomainGlobList> { Value.IsEmpty: true } empty)
                diagnostics.Error("CFG-0301", empty.Position, "", "An empty relay_for_sending_domains would relay for everyone; use open_relay = true if that is meant.");
            if (node.Kind == ScopeKinds.BindingGroup && node.Find(Options.BindAddress) is { } address)
                diagnostics.Warn("CFG-0906", address.Position, "bind_address", "A bind_address for a whole group gives all its bindings one source address.");
            if (node.Kind == ScopeKinds.BindingRule)
                CheckRule(node, diagnostics);
            if (node.Kind == ScopeKinds.Replicate)
                CheckReplicate(node, diagnostics);
            if (node.Kind == ScopeKinds.CustomLogger)
                CheckCustomLogger(node, diagnostics);
            if (node.Kind == ScopeKinds.Topology && node.Find(Options.TopologyInterface) is null)
                diagnostics.Error("CFG-0506", node.Position, node.Instance, $"Topology \"{node.Instance}\" needs interface = \"name\".");
        }
        CheckDuravip(root, diagnostics);
        if (root.Get(Options.MemoryHwm) < root.Get(Options.MemoryGoal))
            diagnostics.Error("CFG-0507", (root.Find(Options.MemoryHwm) ?? root.Find(Options.MemoryGoal))!.Position, "", $"memory_hwm ({root.Get(Options.MemoryHwm)}) must not be below memory_goal ({root.Get(Options.MemoryGoal)}).");
        if (root.Get(Options.LocalChangesOnly) && root.Get(Options.LocalChangesFile) is null)
            diagnostics.Error("CFG-0507", root.Find(Options.LocalChangesOnly)!.Position, "local_changes_only", "local_changes_only needs local_changes_file.");
        if (root.Find(Options.ServerMaxFileDescriptors) is Resolved<int> files && files.Value < 4L * root.Get(Options.ServerMaxOutboundConnections))
            diagnostics.Warn("CFG-0906", files.Position, "", $"server_max_file_descriptors ({files.Value}) is below 4 times server_max_outbound_connections ({root.Get(Options.ServerMaxOutboundConnections)}).");
    }

    /// <summary>Binding name to group name; <c>default</c> is always there.</summary>
    private static Dictionary<string, string> CheckBindings(ScopeNode root, DiagnosticBag diagnostics)
    {
        Dictionary<string, string> groupOf = new() { ["default"] = "default" };
        var inGroups = root.ChildrenOf(ScopeKinds.BindingGroup).SelectMany(g => g.ChildrenOf(ScopeKinds.Binding).Select(b => (b, g.Instance)));
        foreach (var (binding, group) in root.ChildrenOf(ScopeKinds.Binding).Select(b => (b, "default")).Concat(inGroups))
        {
            if (!groupOf.TryAdd(binding.Instance, group) && groupOf[binding.Instance] != group)
                diagnostics.Error("CFG-0502", binding.Position, binding.Instance, $"Binding '{binding.Instance}' is in two groups, '{groupOf[binding.Instance]}' and '{group}'; a binding belongs to one group.");
        }
        return groupOf;
    }

    private static HashSet<string> CheckPathways(ScopeNode root, DiagnosticBag diagnostics)
    {
        HashSet<string> names = [];
        foreach (var pathway in root.Walk().Where(n => n.Kind == ScopeKinds.Pathway))
        {
            if (!names.Add(pathway.Instance))
                diagnostics.Error("CFG-0502", pathway.Position, pathway.Instance, $"Pathway '{pathway.Instance}' is declared in two places; a pathway belongs to one group.");
        }
        return names;
    }

    private static void Reference(ScopeNode node, Option<string?> option, Func<string, bool> exists, string what, DiagnosticBag diagnostics)
    {
        if (node.Find(option) is Resolved<string?> { Value: { } name } setting && !exists(name))
            diagnostics.Error("CFG-0501", setting.Position, name, $"{option.DisplayName} names the {what} '{name}', which is not configured.");
    }

    private static void CheckRule(ScopeNode rule, DiagnosticBag diagnostics)
    {
        var targets = (rule.Find(Options.RuleBinding) is null ? 0 : 1) + (rule.Find(Options.RuleBindingGroup) is null ? 0 : 1);
        if (targets != 1)
            diagnostics.Error("CFG-0505", rule.Position, rule.Instance, $"Binding_Rule \"{rule.Instance}\" needs exactly one of binding and binding_group.");
        foreach (var option in (Option<IReadOnlyList<string>>[])[Options.RuleSender, Options.RuleRecipientDomain])
        {
            foreach (var text in rule.Get(option).Where(t => InstanceNames.IsRegex(t)))
                CheckPattern(text[1..^1], rule.Find(option)!, diagnostics);
        }
        foreach (var option in (Option<ValueDictionary>[])[Options.RuleHeader, Options.RuleContext])
        {
            foreach (var text in rule.Get(option).Values.SelectMany(v => v))
                CheckPattern(text, rule.Find(option)!, diagnostics);
        }
    }

    private static void CheckPattern(string text, Resolved setting, DiagnosticBag diagnostics)
    {
        if (!Pattern.TryParse(text, ignoreCase: true, out _, out var error))
            diagnostics.Error("CFG-0301", setting.Position, text, $"'{text}' in {setting.Option.DisplayName} is no regular expression: {error}");
    }

    private static void CheckCustomLogger(ScopeNode node, DiagnosticBag diagnostics)
    {
        foreach (var stage in Options.CustomLogStages)
        {
            var (format, file) = (node.Find(stage.Format), node.Find(stage.Logfile));
            // A value that was refused is there all the same; why it was refused is said already.
            if (format is null != (file is null) && !node.IsRefused(stage.Format) && !node.IsRefused(stage.Logfile))
            {
                var (given, missing) = format is null ? ((Option)stage.Logfile, (Option)stage.Format) : (stage.Format, stage.Logfile);
                diagnostics.Error("CFG-0506", (format ?? file)!.Position, node.Instance, $"custom_logger: {given.DisplayName} needs {missing.DisplayName} as well.");
            }
        }
    }

    private static void CheckReplicate(ScopeNode node, DiagnosticBag diagnostics)
    {
        var type = node.Get(Options.ReplicateClass) ?? node.Get(Options.ReplicateType) ?? node.Instance;
        if (!ReplicationTypes.Contains(type))
            diagnostics.Error("CFG-0506", node.Position, type, $"'{type}' is no replication type; expected one of {string.Join(", ", ReplicationTypes)} (as name, type or class){Names.Hint(type, ReplicationTypes)}");
        foreach (var parameter in (node.Get(Options.ReplicateParameters) ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            if (!ReplicationParameters.Contains(parameter))
                diagnostics.Warn("CFG-0906", node.Find(Options.ReplicateParameters)!.Position, parameter, $"'{parameter}' is no replication parameter; known are {string.Join(", ", ReplicationParameters)}.");
        }
    }

    /// <summary>The rules of duravip.md section 2.6 that need no look at the host.</summary>
    private static void CheckDuravip(ScopeNode root, DiagnosticBag diagnostics)
    {
        var bindings = root.Walk().Where(n => n.Kind == ScopeKinds.Binding).ToList();
        Dictionary<IPAddress, ScopeNode> bindingOf = [];
        foreach (var binding in bindings)
        {
            if (binding.Get(Options.BindAddress).Address is { } address)
                bindingOf.TryAdd(address, binding);
        }
        Dictionary<IPAddress, string> follows = [];
        foreach (var listen in root.Walk().Where(n => n.Kind == ScopeKinds.Listen))
        {
            if (listen.Find(Options.DuravipFollow) is not Resolved<string?> { Value: { } target } follow)
                continue;
            var address = ListenEndpoint.TryParse(listen.Instance, out var endpoint) ? endpoint.Address : null;
            string? error = null;
            var targetNode = bindings.FirstOrDefault(b => b.Instance == target)
                ?? (AddressBits.TryParse(target, out var ip) ? bindingOf.GetValueOrDefault(ip) : null);
            if (listen.Get(Options.EnableDuravip))
                error = $"duravip: listen {address}: Enable_Duravip and Duravip_Follow are mutually exclusive";
            else if (listen.Find(Options.DuravipPreference) is not null)
                error = $"duravip: listen {address}: Duravip_Preference is not allowed with Duravip_Follow";
            else if (targetNode is null || !IsVip(targetNode, root, bindingOf))
                error = $"duravip: listen {address}: follow target '{target}' is not a DuraVIP binding";
            else if (address is not null && address.Equals(targetNode.Get(Options.BindAddress).Address))
                error = $"duravip: listen {address} follows binding {target} which has the same address";
            else if (address is not null && bindingOf.TryGetValue(address, out var other))
                error = $"duravip: {address} follows {target} but is also the address of binding {other.Instance}";
            else if (address is not null && !follows.TryAdd(address, target) && follows[address] != target)
                error = $"duravip: {address} cannot follow both {follows[address]} and {target}";
            if (error is not null)
                diagnostics.Error("CFG-0503", follow.Position, target, error);
        }
    }

    /// <summary>An address enabled on one service is a virtual address on all services of this node.</summary>
    private static bool IsVip(ScopeNode binding, ScopeNode root, Dictionary<IPAddress, ScopeNode> bindingOf) =>
        binding.Get(Options.EnableDuravip)
        || (binding.Get(Options.BindAddress).Address is { } address && bindingOf.ContainsKey(address) && root.Walk().Any(n => n.Kind == ScopeKinds.Listen
            && n.Get(Options.EnableDuravip) && ListenEndpoint.TryParse(n.Instance, out var endpoint) && address.Equals(endpoint.Address)));
}
