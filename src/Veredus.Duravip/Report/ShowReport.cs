using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Xml;

namespace Veredus.Duravip;

/// <summary>The console's <c>cluster duravip show</c> and <c>show tables</c>.</summary>
public static class ShowReport
{
    /// <summary><c>cluster duravip show</c>.</summary>
    public static string Text(ClusterView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        var text = new StringBuilder("DuraVIP State:\n");
        if (view.Phase != ProtocolPhase.Run)
            text.Append(CultureInfo.InvariantCulture, $"[no view is open: {view.Phase.ToString().ToUpperInvariant()}]\n");
        else if (!view.IsMature)
            text.Append("[not mature yet: nothing is elected]\n");
        if (!view.IsParticipationUniform)
            text.Append("[participation is not uniform]\n");
        foreach (var vip in view.Vips)
            Append(text, vip);
        return text.ToString();
    }

    private static void Append(StringBuilder text, VipView vip)
    {
        text.Append(CultureInfo.InvariantCulture, $"{vip.Address}/{string.Join('/', vip.Names)}: ({vip.Ownership},{vip.Safety}) {string.Join(' ', vip.Services)}");
        if (vip.Unit != vip.Address)
            text.Append(CultureInfo.InvariantCulture, $" follows {vip.Unit}");
        if (vip.Pin.Length > 0)
            text.Append(" pinned");
        text.Append(CultureInfo.InvariantCulture, $"\n\t[view stable for {vip.ViewStableMs / 1000} seconds]\n\t[configuration stable for {vip.ConfigurationStableMs / 1000} seconds]\n");
        if (vip.SafetyReason.Length > 0)
            text.Append(CultureInfo.InvariantCulture, $"\t[{vip.Safety}: {vip.SafetyReason}]\n");
        foreach (var participant in vip.Participants)
        {
            text.Append(participant.IsOwner ? " *  \t" : "    \t").Append(participant.Node);
            foreach (var service in participant.Services)
                text.Append(' ').Append(service);
            if (vip.Preferred == participant.Node)
                text.Append(" preferred");
            if (participant.Eligibility == Eligibility.Failed)
                text.Append(" failed");
            if (participant.Eligibility == Eligibility.Draining)
                text.Append(" draining");
            text.Append('\n');
        }
    }

    private static string State(VipView vip) => vip.Ownership;

    private static string Word(LocalPhase phase) => phase.ToString().ToLowerInvariant();

    private static string Word(Eligibility eligibility) => eligibility switch
    {
        Eligibility.Eligible => "ok",
        Eligibility.Draining => "draining",
        Eligibility.Failed => "failed",
        _ => "out",
    };

    private static string Hex(ulong value) => value.ToString("x", CultureInfo.InvariantCulture);

    /// <summary><c>cluster duravip show tables</c>, as XML.</summary>
    public static string Xml(ClusterView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        var text = new StringBuilder();
        using (var writer = XmlWriter.Create(text, new() { OmitXmlDeclaration = true, Indent = true, NewLineChars = "\n" }))
        {
            writer.WriteStartElement("duravip");
            Attributes(writer, ("node", view.Node), ("view", view.View.ToString()), ("phase", view.Phase.ToString().ToUpperInvariant()),
                ("mature", view.IsMature ? "1" : "0"), ("leader", view.Leader), ("partition", view.Policy.ToString().ToLowerInvariant()));
            foreach (var member in view.Members)
            {
                writer.WriteStartElement("member");
                Attributes(writer, ("node", member.Node), ("nodeid", Number(member.Id.NodeId)), ("pid", Number(member.Id.Pid)),
                    ("incarnation", Hex(member.Incarnation)), ("weight", Number(member.Weight)), ("units", Number(member.Units)),
                    ("draining", member.IsDraining ? "1" : "0"));
                writer.WriteEndElement();
            }
            foreach (var vip in view.Vips)
                Write(writer, vip);
            writer.WriteEndElement();
        }
        return text.Append('\n').ToString();
    }

    private static void Write(XmlWriter writer, VipView vip)
    {
        writer.WriteStartElement("vip");
        Attributes(writer, ("ip", vip.Address.ToString()), ("unit", vip.Unit.ToString()), ("owner", vip.Owner), ("state", State(vip)), ("safety", vip.Safety), ("pin", vip.Pin));
        foreach (var name in vip.Names)
            writer.WriteElementString("name", name);
        foreach (var participant in vip.Participants)
        {
            writer.WriteStartElement("participant");
            Attributes(writer, ("node", participant.Node), ("services", string.Join(',', participant.Services)),
                ("preference", participant.Preference), ("health", Word(participant.Eligibility)));
            writer.WriteEndElement();
        }
        foreach (var holder in vip.Holders)
        {
            writer.WriteStartElement("holder");
            Attributes(writer, ("node", holder));
            writer.WriteEndElement();
        }
        writer.WriteStartElement("local");
        Attributes(writer, ("fsm", Word(vip.LocalPhase)), ("lease", Number(vip.LocalLeaseMs / 1000)), ("lastError", vip.LocalError));
        writer.WriteEndElement();
        writer.WriteEndElement();
    }

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static void Attributes(XmlWriter writer, params ReadOnlySpan<(string Name, string Value)> attributes)
    {
        foreach (var (name, value) in attributes)
            writer.WriteAttributeString(name, value);
    }

    /// <summary>The content of <see cref="Xml"/> as one JSON document (the <c>json</c> prefix).</summary>
    public static string Json(ClusterView view)
    {
        ArgumentNullException.ThrowIfNull(view);
        return JsonText.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("node", view.Node);
            writer.WriteString("view", view.View.ToString());
            writer.WriteString("phase", view.Phase.ToString().ToUpperInvariant());
            writer.WriteBoolean("mature", view.IsMature);
            writer.WriteString("leader", view.Leader);
            writer.WriteString("partition", view.Policy.ToString().ToLowerInvariant());
            writer.WriteBoolean("uniform", view.IsParticipationUniform);
            writer.WriteStartArray("members");
            foreach (var member in view.Members)
                Write(writer, member);
            writer.WriteEndArray();
            writer.WriteStartArray("vips");
            foreach (var vip in view.Vips)
                WriteVip(writer, vip);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }

    private static void Write(Utf8JsonWriter writer, MemberView member)
    {
        writer.WriteStartObject();
        writer.WriteString("node", member.Node);
        writer.WriteNumber("nodeid", member.Id.NodeId);
        writer.WriteNumber("pid", member.Id.Pid);
        writer.WriteString("incarnation", Hex(member.Incarnation));
        writer.WriteString("role", member.Role.ToString().ToLowerInvariant());
        writer.WriteNumber("weight", member.Weight);
        writer.WriteNumber("units", member.Units);
        writer.WriteBoolean("draining", member.IsDraining);
        writer.WriteBoolean("excluded", member.IsExcluded);
        writer.WriteEndObject();
    }

    /// <summary>One address; also an element of <c>vip list --json</c>.</summary>
    public static void WriteVip(Utf8JsonWriter writer, VipView vip)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(vip);
        writer.WriteStartObject();
        writer.WriteString("ip", vip.Address.ToString());
        writer.WriteString("unit", vip.Unit.ToString());
        writer.WriteString("owner", vip.Owner);
        writer.WriteString("state", State(vip));
        writer.WriteString("safety", vip.Safety);
        writer.WriteString("safetyReason", vip.SafetyReason);
        writer.WriteString("pin", vip.Pin);
        writer.WriteString("preferred", vip.Preferred);
        writer.WriteBoolean("offPreferred", vip.IsOffPreferred);
        writer.WriteString("rule", ReasonText.Of(vip.Rule));
        writer.WriteNumber("viewStable", vip.ViewStableMs / 1000);
        writer.WriteNumber("configurationStable", vip.ConfigurationStableMs / 1000);
        JsonText.WriteStrings(writer, "names", vip.Names);
        JsonText.WriteStrings(writer, "services", vip.Services);
        writer.WriteStartArray("participants");
        foreach (var participant in vip.Participants)
        {
            writer.WriteStartObject();
            writer.WriteString("node", participant.Node);
            JsonText.WriteStrings(writer, "services", participant.Services);
            JsonText.WriteStrings(writer, "names", participant.Names);
            writer.WriteString("preference", participant.Preference);
            writer.WriteString("health", Word(participant.Eligibility));
            writer.WriteEndObject();
        }
        writer.WriteEndArray();
        JsonText.WriteStrings(writer, "holders", vip.Holders);
        writer.WriteStartObject("local");
        writer.WriteString("fsm", Word(vip.LocalPhase));
        writer.WriteNumber("lease", vip.LocalLeaseMs / 1000);
        writer.WriteString("lastError", vip.LocalError);
        writer.WriteEndObject();
        writer.WriteEndObject();
    }
}
