using System.Globalization;
using System.Text;
using Veredus.Journal;
using Veredus.Node.Logs;

namespace Veredus.Node.Http;

/// <summary>Writes the figures of a node in Prometheus' text format.</summary>
internal static class Metrics
{
    public static string Render(VeredusNode node)
    {
        var text = new StringBuilder(4096);
        var (summary, statistics, spool) = (node.Delivery.Summary(), node.Statistics, node.Spool.Statistics);
        var dns = node.Resolver.Statistics;
        Counter(text, "veredus_messages_received_total", "Messages accepted.", statistics.ReceivedMessages);
        Counter(text, "veredus_received_bytes_total", "Octets of accepted messages.", statistics.ReceivedBytes);
        Counter(text, "veredus_rejections_total", "Replies with 4yz or 5yz to clients.", statistics.RejectedMessages);
        Counter(text, "veredus_messages_delivered_total", "Messages handed over.", statistics.DeliveredMessages);
        Counter(text, "veredus_transient_failures_total", "Attempts that will be repeated.", statistics.TransientFailures);
        Counter(text, "veredus_permanent_failures_total", "Messages given up.", statistics.PermanentFailures);
        Gauge(text, "veredus_inbound_sessions", "Open SMTP sessions of clients.", node.SmtpSessions.Count);
        Gauge(text, "veredus_outbound_connections", "Open connections to next hops.", summary.OutboundConcurrency);
        Gauge(text, "veredus_active_messages", "Messages due now.", summary.ActiveQueue);
        Gauge(text, "veredus_delayed_messages", "Messages that wait for their next try.", summary.DelayedQueue);
        Gauge(text, "veredus_queues", "Queues of a binding and a domain.", summary.Queues);
        Gauge(text, "veredus_spool_messages", "Messages in the spool.", spool.Messages);
        Gauge(text, "veredus_spool_live_bytes", "Octets in the spool that still count.", spool.LiveBytes);
        Counter(text, "veredus_spool_syncs_total", "Syncs of the spool's log.", spool.Syncs);
        Counter(text, "veredus_spool_commits_total", "Commits to the spool; divided by the syncs, the size of a group.", spool.Commits);
        Counter(text, "veredus_spool_damaged_total", "Damaged places found in the spool and set aside.", spool.Corruptions);
        Gauge(text, "veredus_spool_failed", "1 when the spool promises nothing any more.", node.Spool.Fault is null ? 0 : 1);
        Counter(text, "veredus_dns_queries_total", "Questions to DNS servers.", dns.AddressQueries + dns.MxQueries + dns.OtherQueries);
        Counter(text, "veredus_dns_cache_hits_total", "Answers from the cache.", dns.CacheHits);
        var memory = node.Memory.Use;
        Gauge(text, "veredus_memory_used_bytes", "Memory in use, as memory_hwm sees it.", memory.Used);
        Gauge(text, "veredus_memory_limit_bytes", "Memory that may be used.", memory.Limit);
        Gauge(text, "veredus_start_time_seconds", "When the node was started, in Unix seconds.", node.Started.ToUnixTimeSeconds());
        var logs = node.Logs.Counters;
        Counter(text, "veredus_log_lines_dropped_total", "Log lines that found no room.", logs.Sum(one => one.Dropped));

        LogBacklog(text, node);

        var bindings = node.Delivery.Bindings();
        Head(text, "veredus_binding_messages_total", "counter", "Messages of a binding by what became of them.");
        foreach (var binding in bindings)
        {
            foreach (var (outcome, value) in (ReadOnlySpan<(string, long)>)[("received", binding.Received), ("delivered", binding.Delivered), ("transient", binding.Transient), ("failed", binding.Failed)])
                text.Append(CultureInfo.InvariantCulture, $"veredus_binding_messages_total{{group=\"{Label(binding.Group)}\",binding=\"{Label(binding.Binding)}\",outcome=\"{outcome}\"}} {value}\n");
        }

        Head(text, "veredus_binding_queue_messages", "gauge", "Messages that wait on a binding.");
        foreach (var binding in bindings)
        {
            foreach (var (state, value) in (ReadOnlySpan<(string, long)>)[("active", binding.Active), ("delayed", binding.Delayed)])
                text.Append(CultureInfo.InvariantCulture, $"veredus_binding_queue_messages{{group=\"{Label(binding.Group)}\",binding=\"{Label(binding.Binding)}\",state=\"{state}\"}} {value}\n");
        }

        return text.ToString();
    }

    private static void LogBacklog(StringBuilder text, VeredusNode node)
    {
        var rows = new List<(string Labels, long Bytes, double Seconds)>();
        foreach (var (log, directory) in LogPublishing.Of(node.Configuration.Current).Logs)
        {
            try
            {
                foreach (var entry in JournalBacklog.Read(directory))
                {
                    var age = entry.OldestUnixMicroseconds is { } oldest ? Math.Max(0, (node.Time.GetUtcNow() - DateTimeOffset.FromUnixTimeMilliseconds(oldest / 1000)).TotalSeconds) : 0;
                    rows.Add(($"{{log=\"{Label(log)}\",subscriber=\"{Label(entry.Subscriber)}\"}}", entry.Bytes, age));
                }
            }
            catch (IOException)
            {
                // Not made yet, or damaged: its absence here and the paniclog tell.
            }
        }
        if (rows.Count == 0)
            return;
        Head(text, "veredus_log_waiting_bytes", "gauge", "Octets of a published log that a subscriber has not read.");
        rows.ForEach(row => text.Append(CultureInfo.InvariantCulture, $"veredus_log_waiting_bytes{row.Labels} {row.Bytes}\n"));
        Head(text, "veredus_log_waiting_seconds", "gauge", "Age of the oldest line that a subscriber has not read.");
        rows.ForEach(row => text.Append(CultureInfo.InvariantCulture, $"veredus_log_waiting_seconds{row.Labels} {row.Seconds:0.0}\n"));
    }

    internal static void Counter(StringBuilder text, string name, string help, long value)
    {
        Head(text, name, "counter", help);
        text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
    }

    internal static void Gauge(StringBuilder text, string name, string help, long value)
    {
        Head(text, name, "gauge", help);
        text.Append(CultureInfo.InvariantCulture, $"{name} {value}\n");
    }

    internal static void Head(StringBuilder text, string name, string type, string help) => text.Append($"# HELP {name} {help}\n# TYPE {name} {type}\n");

    internal static string Label(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
